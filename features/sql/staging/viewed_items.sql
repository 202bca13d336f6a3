-- one row per customer and item met in an event before :as_of
select
    entity_id,
    item_id,
    max(day) as last_day
from event_lines
where item_id is not null
group by entity_id, item_id
