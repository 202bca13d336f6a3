-- one row per line given back before :as_of
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    order_id,
    item_id,
    abs(coalesce(quantity, 1)) as quantity,
    abs(amount) as amount
from orders
where kind = 'return'
