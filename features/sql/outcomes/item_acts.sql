-- one row per customer, item, local day and chosen event that named the item before :as_of
select
    entity_id as user_id,
    item_id,
    cast(day_number(local_at) as int) as day,
    event,
    cast(sum(cast(dwell_seconds as decimal(18, 4))) as double) as dwell_seconds
from events
where item_id is not null and event in (select event from chosen_events)
group by entity_id, item_id, cast(day_number(local_at) as int), event
