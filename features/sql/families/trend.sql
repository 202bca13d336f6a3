-- one row per customer as of :as_of
with sums as (
    select
        entity_id,
        order_count_30d,
        order_count_60d,
        order_count_90d,
        order_count_120d,
        order_count_150d,
        order_count_180d,
        cast(amount_30d as double) as amount_30d,
        cast(amount_60d as double) as amount_60d,
        cast(amount_90d as double) as amount_90d,
        cast(amount_120d as double) as amount_120d,
        cast(amount_150d as double) as amount_150d,
        cast(amount_180d as double) as amount_180d,
        cast(amount_365d as double) as amount_365d
    from order_windows
)

-- The least-squares slope over the six periods of 30 days, written with the sums of the windows that end at :as_of.
select
    entity_id,
    -- as double, since a quotient of decimals keeps few digits on Spark
    cast(order_count_30d + order_count_60d + order_count_90d + order_count_120d + order_count_150d
        - 2.5 * order_count_180d as double) / 17.5 as order_count_slope_180d,
    (amount_30d + amount_60d + amount_90d + amount_120d + amount_150d - 2.5 * amount_180d) / 17.5 as amount_slope_180d,
    2 * order_count_30d - order_count_60d as order_count_change_30d,
    2 * amount_30d - amount_60d as amount_change_30d,
    2 * order_count_90d - order_count_180d as order_count_change_90d,
    2 * amount_90d - amount_180d as amount_change_90d,
    order_count_30d / cast(nullif(order_count_180d, 0) as double) as recent_order_share_180d,
    amount_90d / nullif(amount_365d, 0) as recent_amount_share_365d
from sums
