-- one row per line sold before :as_of
with seen as (
    select
        entity_id,
        cast(day_number(local_at) as int) as day,
        cast(hour(local_at) as int) as hour,
        order_id,
        item_id,
        coalesce(quantity, 1) as quantity,
        amount,
        coalesce(discount, 0) as discount,
        coupon_id,
        channel
    from orders
    where kind = 'sale' and amount > 0
)

select
    entity_id,
    day,
    hour,
    order_id,
    case when order_id is null then day end as order_day,
    item_id,
    quantity,
    amount,
    discount,
    coupon_id,
    channel
from seen
