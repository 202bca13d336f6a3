-- one row per customer as of :as_of
with per_day as (
    select
        entity_id,
        sum(unit_count) filter (where day >= :w30) as unit_count_30d,
        sum(unit_count) filter (where day >= :w90) as unit_count_90d,
        sum(unit_count) filter (where day >= :w365) as unit_count_365d,
        sum(unit_count) as unit_count_lifetime,
        cast(sum(unit_count) filter (where day >= :w90) as double) / nullif(cast(sum(order_count) filter (where day >= :w90) as double), 0) as units_per_order_90d,
        cast(sum(unit_count) filter (where day >= :w365) as double) / nullif(cast(sum(order_count) filter (where day >= :w365) as double), 0) as units_per_order_365d,
        cast(sum(unit_count) as double) / nullif(cast(sum(order_count) as double), 0) as units_per_order_lifetime,
        cast(sum(line_count) filter (where day >= :w90) as double) / nullif(cast(sum(order_count) filter (where day >= :w90) as double), 0) as lines_per_order_90d,
        cast(sum(line_count) filter (where day >= :w365) as double) / nullif(cast(sum(order_count) filter (where day >= :w365) as double), 0) as lines_per_order_365d,
        cast(sum(line_count) as double) / nullif(cast(sum(order_count) as double), 0) as lines_per_order_lifetime
    from order_days
    group by entity_id
),

per_order as (
    select
        entity_id,
        max(unit_count) as highest_units_per_order_lifetime,
        max(line_count) as highest_lines_per_order_lifetime,
        count(case when line_count = 1 then 1 end) / cast(count(*) as double) as single_line_order_share_lifetime,
        count(distinct channel) as channel_count_lifetime,
        count(case when channel is not null and day >= :w90 then 1 end) as channel_orders
    from baskets
    group by entity_id
)

select
    per_day.entity_id,
    unit_count_30d,
    unit_count_90d,
    unit_count_365d,
    unit_count_lifetime,
    units_per_order_90d,
    units_per_order_365d,
    units_per_order_lifetime,
    lines_per_order_90d,
    lines_per_order_365d,
    lines_per_order_lifetime,
    highest_units_per_order_lifetime,
    highest_lines_per_order_lifetime,
    single_line_order_share_lifetime,
    channel_count_lifetime
from per_day
inner join per_order on per_day.entity_id = per_order.entity_id
