-- one row per customer as of :as_of
with periods as (
    select
        entity_id,
        cast(floor((:as_of - 1 - day) / 30) as int) as age,
        day,
        order_count,
        amount
    from order_days
)

select
    entity_id,
    coalesce(sum((2.5 - age) * order_count) filter (where age < 6), 0) / 17.5 as order_count_slope_180d,
    coalesce(cast(sum((2.5 - age) * amount) filter (where age < 6) as double), 0) / 17.5 as amount_slope_180d,
    coalesce(sum(order_count) filter (where day >= :w30), 0)
        - coalesce(sum(order_count) filter (where day >= :w60 and day < :w30), 0) as order_count_change_30d,
    coalesce(sum(amount) filter (where day >= :w30), 0)
        - coalesce(sum(amount) filter (where day >= :w60 and day < :w30), 0) as amount_change_30d,
    coalesce(sum(order_count) filter (where day >= :w90), 0)
        - coalesce(sum(order_count) filter (where day >= :w180 and day < :w90), 0) as order_count_change_90d,
    coalesce(sum(amount) filter (where day >= :w90), 0)
        - coalesce(sum(amount) filter (where day >= :w180 and day < :w90), 0) as amount_change_90d,
    coalesce(sum(order_count) filter (where day >= :w30), 0)
        / cast(nullif(sum(order_count) filter (where day >= :w180), 0) as double) as recent_order_share_180d,
    coalesce(cast(sum(amount) filter (where day >= :w90) as double), 0)
        / nullif(cast(sum(amount) filter (where day >= :w365) as double), 0) as recent_amount_share_365d
from periods
group by entity_id
