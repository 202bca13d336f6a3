-- one row per line sold before :as_of
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    cast(hour(local_at) as int) as hour,
    coalesce(key_of(order_id), cast(day_number(local_at) as bigint)) as order_key,
    item_id,
    key_of(item_id) as item_key,
    coalesce(quantity, 1) as quantity,
    amount,
    coalesce(discount, 0) as discount,
    coupon_id,
    channel
from orders
where kind = 'sale' and amount > 0
