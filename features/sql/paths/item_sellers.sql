-- one row per item and seller it was sold by before :as_of
select
    item_id,
    seller_id,
    count(*) as visits
from orders
where kind = 'sale' and amount > 0 and item_id is not null
group by item_id, seller_id
