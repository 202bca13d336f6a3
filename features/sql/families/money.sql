-- one row per customer as of :as_of
with per_day as (
    select
        entity_id,
        sum(amount) filter (where day >= :w7) as amount_7d,
        sum(amount) filter (where day >= :w14) as amount_14d,
        sum(amount) filter (where day >= :w30) as amount_30d,
        sum(amount) filter (where day >= :w60) as amount_60d,
        sum(amount) filter (where day >= :w90) as amount_90d,
        sum(amount) filter (where day >= :w180) as amount_180d,
        sum(amount) filter (where day >= :w365) as amount_365d,
        sum(amount) as amount_lifetime,
        sum(order_count) filter (where day >= :w90) as orders_90d,
        sum(order_count) filter (where day >= :w365) as orders_365d,
        sum(order_count) as orders_lifetime,
        min(day) as first_day
    from order_days
    group by entity_id
),

per_order as (
    select
        entity_id,
        max(amount) as highest_order_amount,
        min(amount) as lowest_order_amount,
        median(cast(amount as double)) as median_order_amount,
        -- rounded, since the order of rows would move the last digits
        round(stddev_samp(cast(amount as double)), 6) as order_amount_deviation
    from baskets
    group by entity_id
),

ends as (
    select
        days.entity_id,
        max(case when gaps.gap is null then days.amount end) as first_day_amount,
        max(case when gaps.days_back = 1 then days.amount end) as last_day_amount
    from order_days as days
    inner join gaps on days.entity_id = gaps.entity_id and days.day = gaps.day
    group by days.entity_id
)

select
    per_day.entity_id,
    amount_7d,
    amount_14d,
    amount_30d,
    amount_60d,
    amount_90d,
    amount_180d,
    amount_365d,
    amount_lifetime,
    cast(amount_90d as double) / nullif(orders_90d, 0) as average_order_value_90d,
    cast(amount_365d as double) / nullif(orders_365d, 0) as average_order_value_365d,
    cast(amount_lifetime as double) / orders_lifetime as average_order_value_lifetime,
    highest_order_amount as highest_order_amount_lifetime,
    lowest_order_amount as lowest_order_amount_lifetime,
    median_order_amount as median_order_amount_lifetime,
    order_amount_deviation as order_amount_deviation_lifetime,
    first_day_amount as first_order_day_amount,
    last_day_amount as last_order_day_amount,
    cast(amount_lifetime as double) * 30.0 / (:as_of - first_day) as amount_per_30_days_lifetime
from per_day
inner join per_order on per_day.entity_id = per_order.entity_id
inner join ends on per_day.entity_id = ends.entity_id
