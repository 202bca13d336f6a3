-- one row per customer as of :as_of
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
        strengths.strength
    from act_habits as habits
    inner join strengths on habits.dimension = strengths.dimension
    left join habit_priors as priors on habits.dimension = priors.dimension and habits.value = priors.value
    where habits.dimension in ('app_feature', 'page')
),

ranked as (
    select
        entity_id,
        dimension,
        value,
        times / (all_times + strength) as share,
        all_times / (all_times + strength) as confidence,
        row_number() over (partition by entity_id, dimension order by rounded(times, 6) desc, value) as place
    from shrunk
)

select
    entity_id,
    max(case when dimension = 'app_feature' and place = 1 then value end) as preferred_app_feature,
    max(case when dimension = 'app_feature' and place = 1 then share end) as preferred_app_feature_share,
    max(case when dimension = 'app_feature' then confidence end) as preferred_app_feature_confidence,
    max(case when dimension = 'page' and place = 1 then value end) as preferred_page,
    max(case when dimension = 'page' and place = 1 then share end) as preferred_page_share,
    max(case when dimension = 'page' then confidence end) as preferred_page_confidence
from ranked
group by entity_id
