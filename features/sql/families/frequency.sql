-- one row per customer as of :as_of
with seasons as (
    select
        entity_id,
        sum(order_count) filter (where day >= :w395 and day < :w335) as order_count_same_season_last_year,
        -- days are in order, so a period is counted at its first day
        count(*) filter (
            where
                day >= :w360
                and (
                    previous_day is null
                    or floor((:as_of - 1 - day) / 30) <> floor((:as_of - 1 - previous_day) / 30)
                )
        ) as active_month_count_360d
    from order_days
    group by entity_id
)

select
    windows.entity_id,
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
from order_windows as windows
inner join seasons on windows.entity_id = seasons.entity_id
