-- one row per customer as of :as_of
with ends as (
    select
        entity_id,
        max(last_day) as last_order_day,
        cast(null as int) as last_event_day
    from order_windows
    group by entity_id
    union all
    select
        entity_id,
        cast(null as int) as last_order_day,
        max(day) as last_event_day
    from event_days
    group by entity_id
)

select
    entity_id,
    max(case when last_order_day < :w90 then 1 when last_order_day is not null then 0 end) as order_preferences_are_old,
    max(case when last_event_day < :w90 then 1 when last_event_day is not null then 0 end) as act_preferences_are_old
from ends
group by entity_id
