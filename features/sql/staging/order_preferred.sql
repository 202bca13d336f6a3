-- one row per customer and kind of preference as of :as_of: the value met most, its shares drawn towards those of everybody
with strengths as (
    select
        dimension,
        cast(max(strength) as double) as strength
    from habit_priors
    group by dimension
),

-- own times and those of the population, weighted by its strength
shrunk as (
    select
        habits.entity_id,
        habits.dimension,
        habits.value,
        habits.times + coalesce(cast(priors.strength as double) * cast(priors.share as double), 0) as times,
        habits.all_times,
        strengths.strength,
        (
            habits.all_times * cast(habits.amount as double) / cast(habits.all_amount as double)
            + coalesce(cast(priors.strength as double) * cast(priors.amount_share as double), 0)
        ) / (habits.all_times + strengths.strength) as amount_share
    from order_habits as habits
    inner join strengths on habits.dimension = strengths.dimension
    left join habit_priors as priors on habits.dimension = priors.dimension and habits.value = priors.value
),

ranked as (
    select
        entity_id,
        dimension,
        value,
        times / (all_times + strength) as share,
        amount_share,
        all_times / (all_times + strength) as confidence,
        row_number() over (partition by entity_id, dimension order by rounded(times, 6) desc, value) as place
    from shrunk
)

select
    entity_id,
    dimension,
    value,
    share,
    amount_share,
    confidence
from ranked
where place = 1
