-- one row per customer with a sale before :as_of
with lifetime as (
    select
        entity_id,
        min(day) as first_day,
        max(last_day) as last_day,
        sum(order_count) as order_count,
        count(*) as day_count,
        sum(amount) as amount,
        sum(discount) as discount,
        sum(discount_order_count) as discount_order_count,
        sum(coupon_order_count) as coupon_order_count,
        sum(unit_count) as unit_count,
        sum(line_count) as line_count
    from order_days
    group by entity_id
),

-- a window is summed over its own days: a filter on each sum would go through all days for every one of them
last_365 as (
    select
        entity_id,
        sum(order_count) as order_count,
        count(*) as day_count,
        sum(amount) as amount,
        sum(discount) as discount,
        sum(discount_order_count) as discount_order_count,
        sum(coupon_order_count) as coupon_order_count,
        sum(unit_count) as unit_count,
        sum(line_count) as line_count
    from order_days
    where day >= :w365
    group by entity_id
),

last_180 as (
    select
        entity_id,
        sum(order_count) as order_count,
        count(*) as day_count,
        sum(amount) as amount,
        sum(discount) as discount,
        sum(discount_order_count) as discount_order_count,
        sum(case when day >= :w120 then order_count end) as order_count_120d,
        sum(case when day >= :w150 then order_count end) as order_count_150d,
        sum(case when day >= :w120 then amount end) as amount_120d,
        sum(case when day >= :w150 then amount end) as amount_150d
    from order_days
    where day >= :w180
    group by entity_id
),

last_90 as (
    select
        entity_id,
        sum(order_count) as order_count,
        count(*) as day_count,
        sum(amount) as amount,
        sum(discount) as discount,
        sum(discount_order_count) as discount_order_count,
        sum(coupon_order_count) as coupon_order_count,
        sum(unit_count) as unit_count,
        sum(line_count) as line_count,
        sum(case when day >= :w60 then order_count end) as order_count_60d,
        sum(case when day >= :w60 then amount end) as amount_60d
    from order_days
    where day >= :w90
    group by entity_id
),

last_30 as (
    select
        entity_id,
        sum(order_count) as order_count,
        count(*) as day_count,
        sum(amount) as amount,
        sum(discount) as discount,
        sum(unit_count) as unit_count,
        sum(case when day >= :w7 then order_count end) as order_count_7d,
        sum(case when day >= :w14 then order_count end) as order_count_14d,
        sum(case when day >= :w7 then amount end) as amount_7d,
        sum(case when day >= :w14 then amount end) as amount_14d
    from order_days
    where day >= :w30
    group by entity_id
)

select
    lifetime.entity_id,
    lifetime.first_day,
    lifetime.last_day,
    last_30.order_count_7d,
    last_30.order_count_14d,
    last_30.order_count as order_count_30d,
    last_90.order_count_60d,
    last_90.order_count as order_count_90d,
    last_180.order_count_120d,
    last_180.order_count_150d,
    last_180.order_count as order_count_180d,
    last_365.order_count as order_count_365d,
    lifetime.order_count as order_count_lifetime,
    last_30.day_count as order_day_count_30d,
    last_90.day_count as order_day_count_90d,
    last_180.day_count as order_day_count_180d,
    last_365.day_count as order_day_count_365d,
    lifetime.day_count as order_day_count_lifetime,
    last_30.amount_7d,
    last_30.amount_14d,
    last_30.amount as amount_30d,
    last_90.amount_60d,
    last_90.amount as amount_90d,
    last_180.amount_120d,
    last_180.amount_150d,
    last_180.amount as amount_180d,
    last_365.amount as amount_365d,
    lifetime.amount as amount_lifetime,
    last_30.discount as discount_amount_30d,
    last_90.discount as discount_amount_90d,
    last_180.discount as discount_amount_180d,
    last_365.discount as discount_amount_365d,
    lifetime.discount as discount_amount_lifetime,
    last_90.discount_order_count as discount_order_count_90d,
    last_180.discount_order_count as discount_order_count_180d,
    last_365.discount_order_count as discount_order_count_365d,
    lifetime.discount_order_count as discount_order_count_lifetime,
    last_90.coupon_order_count as coupon_order_count_90d,
    last_365.coupon_order_count as coupon_order_count_365d,
    lifetime.coupon_order_count as coupon_order_count_lifetime,
    last_30.unit_count as unit_count_30d,
    last_90.unit_count as unit_count_90d,
    last_365.unit_count as unit_count_365d,
    lifetime.unit_count as unit_count_lifetime,
    last_90.line_count as line_count_90d,
    last_365.line_count as line_count_365d,
    lifetime.line_count as line_count_lifetime
from lifetime
left join last_365 on lifetime.entity_id = last_365.entity_id
left join last_180 on lifetime.entity_id = last_180.entity_id
left join last_90 on lifetime.entity_id = last_90.entity_id
left join last_30 on lifetime.entity_id = last_30.entity_id
