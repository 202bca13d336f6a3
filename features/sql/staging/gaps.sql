-- one row per customer and day with a sale before :as_of, with the days since the one before it
select
    entity_id,
    day,
    last_day,
    day - lag(day) over (partition by entity_id order by day) as gap,
    row_number() over (partition by entity_id order by day desc) as days_back
from order_days
