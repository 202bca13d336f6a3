-- one row per customer and day with a sale before :as_of
select
    entity_id,
    day,
    max(last_day) as last_day,
    count(*) as order_count,
    sum(amount) as amount,
    sum(discount) as discount,
    sum(unit_count) as unit_count,
    sum(line_count) as line_count,
    sum(case when discount > 0 then 1 else 0 end) as discount_order_count,
    count(coupon_id) as coupon_order_count
from baskets
group by entity_id, day
