-- one row per step before :as_of and seconds since the step before: who took so long
with times as (
    select
        step,
        lag(moment) over (partition by entity_id order by step) as before,
        moment
    from funnel_ways
)

select
    step,
    cast(rounded(days_between(before, moment) * 86400, 0) as bigint) as seconds,
    count(*) as users
from times
where before is not null
group by step, cast(rounded(days_between(before, moment) * 86400, 0) as bigint)
