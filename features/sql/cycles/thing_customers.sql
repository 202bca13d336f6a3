-- one row per thing bought before :as_of: how many customers did
select
    thing,
    count(distinct entity_id) as customer_count
from bought_days
group by thing
