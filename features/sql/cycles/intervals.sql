-- one row per customer, thing and interval that starts with a purchase before :as_of; the last one is still open
select
    entity_id,
    thing,
    day,
    quantity,
    lead(day) over (partition by entity_id, thing order by day) as next_day,
    row_number() over (partition by entity_id, thing order by day) as place,
    count(*) over (partition by entity_id, thing) as interval_count
from bought_days
