-- one row per customer and day with a sale before :as_of
select
    entity_id,
    day,
    max(last_day) as last_day,
    cast(count(*) as int) as order_count,
    cast(sum(amount) as decimal(18, 4)) as amount,
    cast(sum(discount) as decimal(18, 4)) as discount,
    cast(sum(unit_count) as decimal(18, 4)) as unit_count,
    cast(sum(line_count) as int) as line_count,
    cast(count(case when discount > 0 then 1 end) as int) as discount_order_count,
    cast(count(coupon_id) as int) as coupon_order_count,
    lead(day) over (partition by entity_id order by day desc) as previous_day,
    row_number() over (partition by entity_id order by day desc) - 1 as days_after
from baskets
group by entity_id, day
