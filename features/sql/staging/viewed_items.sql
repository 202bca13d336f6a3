-- one row per customer and item met in an event before :as_of
select
    entity_id,
    item_key,
    max(day) as last_day
from event_lines
where item_key is not null
group by entity_id, item_key
