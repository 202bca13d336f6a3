-- one row per customer and item met in an event before :as_of
select
    entity_id,
    item_id,
    cast(max(day_number(local_at)) as int) as last_day
from events
where entity_id is not null and item_id is not null
group by entity_id, item_id
