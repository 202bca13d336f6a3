-- one row per line sold before :as_of
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    cast(hour(local_at) as int) as hour,
    order_id,
    case when order_id is null then cast(day_number(local_at) as int) end as order_day,
    item_id,
    coalesce(quantity, 1) as quantity,
    amount,
    coalesce(discount, 0) as discount,
    coupon_id,
    channel
from orders
where kind = 'sale' and amount > 0
