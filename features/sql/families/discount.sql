-- one row per customer as of :as_of
select
    entity_id,
    cast(sum(discount) filter (where day >= :w90) as double) / nullif(cast(sum(amount + discount) filter (where day >= :w90) as double), 0) as discount_share_90d,
    cast(sum(discount) filter (where day >= :w180) as double) / nullif(cast(sum(amount + discount) filter (where day >= :w180) as double), 0) as discount_share_180d,
    cast(sum(discount) filter (where day >= :w365) as double) / nullif(cast(sum(amount + discount) filter (where day >= :w365) as double), 0) as discount_share_365d,
    cast(sum(discount) as double) / nullif(cast(sum(amount + discount) as double), 0) as discount_share_lifetime,
    cast(sum(discount_order_count) filter (where day >= :w90) as double) / nullif(cast(sum(order_count) filter (where day >= :w90) as double), 0) as discount_order_share_90d,
    cast(sum(discount_order_count) filter (where day >= :w180) as double) / nullif(cast(sum(order_count) filter (where day >= :w180) as double), 0) as discount_order_share_180d,
    cast(sum(discount_order_count) filter (where day >= :w365) as double) / nullif(cast(sum(order_count) filter (where day >= :w365) as double), 0) as discount_order_share_365d,
    cast(sum(discount_order_count) as double) / nullif(cast(sum(order_count) as double), 0) as discount_order_share_lifetime,
    cast(sum(coupon_order_count) filter (where day >= :w90) as double) / nullif(cast(sum(order_count) filter (where day >= :w90) as double), 0) as coupon_order_share_90d,
    cast(sum(coupon_order_count) filter (where day >= :w365) as double) / nullif(cast(sum(order_count) filter (where day >= :w365) as double), 0) as coupon_order_share_365d,
    cast(sum(coupon_order_count) as double) / nullif(cast(sum(order_count) as double), 0) as coupon_order_share_lifetime,
    sum(discount) filter (where day >= :w30) as discount_amount_30d,
    sum(discount) filter (where day >= :w90) as discount_amount_90d,
    sum(discount) filter (where day >= :w365) as discount_amount_365d,
    sum(discount) as discount_amount_lifetime,
    :as_of - max(case when discount = 0 then day end) as days_since_last_full_price_order_day
from order_days
group by entity_id
