-- one row per act before :as_of that is step :step and comes, within the window, after one that reached the step before
-- of all ways there the one entered last is kept: no other can go on for longer
with both_steps as (
    select
        entity_id,
        place,
        moment,
        0 as is_before,
        cast(null as int) as start_place,
        cast(null as timestamp) as started_at
    from funnel_places
    where step = :step
    union all
    select
        entity_id,
        place,
        cast(null as timestamp) as moment,
        1 as is_before,
        start_place,
        started_at
    from reached
),

entered as (
    select
        entity_id,
        place,
        moment,
        is_before,
        max(start_place) over (
            partition by entity_id order by place, is_before rows between unbounded preceding and 1 preceding
        ) as start_place,
        max(started_at) over (
            partition by entity_id order by place, is_before rows between unbounded preceding and 1 preceding
        ) as started_at
    from both_steps
)

select
    entity_id,
    place,
    start_place,
    started_at
from entered
where is_before = 0 and start_place is not null and days_between(started_at, moment) <= :window_days
