-- one row per customer and day with an act before :as_of, an act being a sale
select
    entity_id,
    day
from order_days
union
select
    entity_id,
    last_day as day
from order_days
where last_day > day
