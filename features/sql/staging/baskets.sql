-- one row per order sold before :as_of; lines without an order_id make one order a day
select
    entity_id,
    order_key,
    min(day) as day,
    min(day * 24 + hour) - 24 * min(day) as hour,
    max(day) as last_day,
    cast(sum(amount) as decimal(18, 4)) as amount,
    cast(sum(discount) as decimal(18, 4)) as discount,
    cast(sum(quantity) as decimal(18, 4)) as unit_count,
    cast(count(*) as int) as line_count,
    max(coupon_id) as coupon_id,
    min(channel) as channel
from sale_lines
group by entity_id, order_key
