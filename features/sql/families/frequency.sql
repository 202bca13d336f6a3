-- one row per customer as of :as_of
select
    entity_id,
    order_count_7d,
    order_count_14d,
    order_count_30d,
    order_count_60d,
    order_count_90d,
    order_count_180d,
    order_count_365d,
    order_count_lifetime,
    order_day_count_30d,
    order_day_count_90d,
    order_day_count_180d,
    order_day_count_365d,
    order_day_count_lifetime,
    order_count_same_season_last_year,
    active_month_count_360d,
    order_count_lifetime * 30.0 / (:as_of - first_day) as orders_per_30_days_lifetime
from order_windows
