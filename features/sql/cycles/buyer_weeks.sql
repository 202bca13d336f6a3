-- one row per week before :as_of: the customers who bought anything in it
select
    week,
    count(distinct entity_id) as customer_count
from buyer_days
group by week
