-- one row per item of a part as of :as_of
select
    item_id,
    sum(amount + coalesce(discount, 0)) as list_amount,
    sum(coalesce(quantity, 1)) as unit_count
from orders
where kind = 'sale' and amount > 0 and item_id is not null and coalesce(quantity, 1) > 0
group by item_id
