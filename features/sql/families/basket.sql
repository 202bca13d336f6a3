-- one row per customer as of :as_of
with per_order as (
    select
        entity_id,
        max(unit_count) as highest_units_per_order_lifetime,
        max(line_count) as highest_lines_per_order_lifetime,
        count(case when line_count = 1 then 1 end) / cast(count(*) as double) as single_line_order_share_lifetime,
        count(distinct channel) as channel_count_lifetime
    from baskets
    group by entity_id
)

select
    windows.entity_id,
    unit_count_30d,
    unit_count_90d,
    unit_count_365d,
    unit_count_lifetime,
    cast(unit_count_90d as double) / nullif(order_count_90d, 0) as units_per_order_90d,
    cast(unit_count_365d as double) / nullif(order_count_365d, 0) as units_per_order_365d,
    cast(unit_count_lifetime as double) / order_count_lifetime as units_per_order_lifetime,
    line_count_90d / nullif(cast(order_count_90d as double), 0) as lines_per_order_90d,
    line_count_365d / nullif(cast(order_count_365d as double), 0) as lines_per_order_365d,
    line_count_lifetime / cast(order_count_lifetime as double) as lines_per_order_lifetime,
    highest_units_per_order_lifetime,
    highest_lines_per_order_lifetime,
    single_line_order_share_lifetime,
    channel_count_lifetime
from order_windows as windows
inner join per_order on windows.entity_id = per_order.entity_id
