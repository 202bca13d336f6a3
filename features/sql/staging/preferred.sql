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
        cast(habits.times as double)
        + coalesce(cast(priors.strength as double) * cast(priors.share as double), 0) as times,
        habits.all_times * habits.amount_share
        + coalesce(cast(priors.strength as double) * cast(priors.amount_share as double), 0) as amount_times,
        habits.all_times + strengths.strength as all_times,
        habits.all_times as own_times
    from habits
    inner join strengths on habits.dimension = strengths.dimension
    left join habit_priors as priors on habits.dimension = priors.dimension and habits.value = priors.value
),

ranked as (
    select
        entity_id,
        dimension,
        value,
        times / all_times as share,
        amount_times / all_times as amount_share,
        own_times / all_times as confidence,
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
