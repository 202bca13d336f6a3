-- one row per customer as of :as_of
with told as (
    select
        counted.entity_id,
        counted.festival,
        counted.exposures,
        counted.order_count,
        counted.festive_count,
        counted.expected,
        (cast(counted.festive_count as double) + cast(priors.strength as double)) / (cast(counted.expected as double) + cast(priors.strength as double))
            as preference,
        min(priors.strength) over (partition by counted.entity_id) as usual_strength
    from festival_expectations as counted
    inner join festival_priors as priors on counted.festival = priors.festival
),

tagged as (
    select
        entity_id,
        festival,
        exposures,
        order_count,
        festive_count,
        expected,
        preference,
        usual_strength,
        case
            when exposures < 2 then 'not_enough_years'
            when order_count >= 2 and rounded(preference, 6) >= 1.25 then 'yes'
            else 'no'
        end as tag
    from told
)

select
    windows.entity_id,
    max(case when told.festival = '618' then told.preference end) as festival_preference_618,
    coalesce(max(case when told.festival = '618' then told.tag end), 'not_enough_years') as festival_lover_618,
    max(case when told.festival = 'qixi' then told.preference end) as festival_preference_qixi,
    coalesce(max(case when told.festival = 'qixi' then told.tag end), 'not_enough_years') as festival_lover_qixi,
    max(case when told.festival = 'double_eleven' then told.preference end) as festival_preference_double_eleven,
    coalesce(max(case when told.festival = 'double_eleven' then told.tag end), 'not_enough_years') as festival_lover_double_eleven,
    max(case when told.festival = 'christmas' then told.preference end) as festival_preference_christmas,
    coalesce(max(case when told.festival = 'christmas' then told.tag end), 'not_enough_years') as festival_lover_christmas,
    cast(sum(told.festive_count) + max(told.usual_strength) as double)
    / cast(sum(told.expected) + max(told.usual_strength) as double) as festival_preference,
    case
        when coalesce(max(told.exposures), 0) < 2 then 'not_enough_years'
        when
            sum(told.order_count) >= 2
            and rounded(
                cast(sum(told.festive_count) + max(told.usual_strength) as double)
                / cast(sum(told.expected) + max(told.usual_strength) as double), 6
            ) >= 1.25
            then 'yes'
        else 'no'
    end as festival_lover
from order_windows as windows
left join tagged as told on windows.entity_id = told.entity_id
group by windows.entity_id
