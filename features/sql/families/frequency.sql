-- one row per customer as of :as_of
select
    entity_id,
    sum(order_count) filter (where day >= :w7) as order_count_7d,
    sum(order_count) filter (where day >= :w14) as order_count_14d,
    sum(order_count) filter (where day >= :w30) as order_count_30d,
    sum(order_count) filter (where day >= :w60) as order_count_60d,
    sum(order_count) filter (where day >= :w90) as order_count_90d,
    sum(order_count) filter (where day >= :w180) as order_count_180d,
    sum(order_count) filter (where day >= :w365) as order_count_365d,
    sum(order_count) as order_count_lifetime,
    count(*) filter (where day >= :w30) as order_day_count_30d,
    count(*) filter (where day >= :w90) as order_day_count_90d,
    count(*) filter (where day >= :w180) as order_day_count_180d,
    count(*) filter (where day >= :w365) as order_day_count_365d,
    count(*) as order_day_count_lifetime,
    sum(order_count) filter (where day >= :w395 and day < :w335) as order_count_same_season_last_year,
    count(distinct floor((:as_of - 1 - day) / 30)) filter (where day >= :w360) as active_month_count_360d,
    sum(order_count) * 30.0 / (:as_of - min(day)) as orders_per_30_days_lifetime
from order_days
group by entity_id
