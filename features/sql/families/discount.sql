-- one row per customer as of :as_of
select
    entity_id,
    cast(discount_amount_90d as double) / nullif(cast(amount_90d + discount_amount_90d as double), 0) as discount_share_90d,
    cast(discount_amount_180d as double) / nullif(cast(amount_180d + discount_amount_180d as double), 0) as discount_share_180d,
    cast(discount_amount_365d as double) / nullif(cast(amount_365d + discount_amount_365d as double), 0) as discount_share_365d,
    cast(discount_amount_lifetime as double) / cast(amount_lifetime + discount_amount_lifetime as double) as discount_share_lifetime,
    discount_order_count_90d / nullif(cast(order_count_90d as double), 0) as discount_order_share_90d,
    discount_order_count_180d / nullif(cast(order_count_180d as double), 0) as discount_order_share_180d,
    discount_order_count_365d / nullif(cast(order_count_365d as double), 0) as discount_order_share_365d,
    discount_order_count_lifetime / cast(order_count_lifetime as double) as discount_order_share_lifetime,
    coupon_order_count_90d / nullif(cast(order_count_90d as double), 0) as coupon_order_share_90d,
    coupon_order_count_365d / nullif(cast(order_count_365d as double), 0) as coupon_order_share_365d,
    coupon_order_count_lifetime / cast(order_count_lifetime as double) as coupon_order_share_lifetime,
    discount_amount_30d,
    discount_amount_90d,
    discount_amount_365d,
    discount_amount_lifetime,
    :as_of - last_full_price_day as days_since_last_full_price_order_day
from order_windows
