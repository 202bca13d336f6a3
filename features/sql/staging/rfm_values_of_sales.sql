-- one row per customer with a sale before :as_of: recency, frequency and money, each the more the better
select
    entity_id,
    last_day - :as_of as recency,
    cast(order_count_365d as int) as frequency,
    cast(amount_365d as decimal(18, 4)) as amount
from order_windows
