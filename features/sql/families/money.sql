-- one row per customer as of :as_of
with per_order as (
    select
        entity_id,
        max(amount) as highest_order_amount_lifetime,
        min(amount) as lowest_order_amount_lifetime,
        median(cast(amount as double)) as median_order_amount_lifetime,
        -- rounded, since the order of rows would move the last digits
        rounded(stddev_samp(cast(amount as double)), 6) as order_amount_deviation_lifetime
    from baskets
    group by entity_id
)

select
    windows.entity_id,
    amount_7d,
    amount_14d,
    amount_30d,
    amount_60d,
    amount_90d,
    amount_180d,
    amount_365d,
    amount_lifetime,
    cast(amount_90d as double) / nullif(order_count_90d, 0) as average_order_value_90d,
    cast(amount_365d as double) / nullif(order_count_365d, 0) as average_order_value_365d,
    cast(amount_lifetime as double) / order_count_lifetime as average_order_value_lifetime,
    highest_order_amount_lifetime,
    lowest_order_amount_lifetime,
    median_order_amount_lifetime,
    order_amount_deviation_lifetime,
    first_day_amount as first_order_day_amount,
    last_day_amount as last_order_day_amount,
    cast(amount_lifetime as double) * 30.0 / (:as_of - first_day) as amount_per_30_days_lifetime
from order_windows as windows
inner join per_order on windows.entity_id = per_order.entity_id
