-- one row per customer as of :as_of
with spread as (
    select
        entity_id,
        max(last_day) as last_day,
        count(previous_day) as gap_count,
        sum(day - previous_day) as gap_sum,
        sum((day - previous_day) * (day - previous_day)) as gap_squares,
        median(day - previous_day) as median_gap,
        min(day - previous_day) as shortest_gap,
        max(day - previous_day) as longest_gap,
        max(case when days_after = 0 then day - previous_day end) as last_gap
    from order_days
    group by entity_id
),

measured as (
    select
        entity_id,
        last_day,
        median_gap,
        shortest_gap,
        longest_gap,
        last_gap,
        cast(gap_sum as double) / nullif(gap_count, 0) as average_gap,
        sqrt(cast(gap_count * gap_squares - gap_sum * gap_sum as double) / nullif(gap_count * (gap_count - 1), 0))
            as gap_deviation
    from spread
)

select
    entity_id,
    average_gap as average_days_between_orders,
    median_gap as median_days_between_orders,
    gap_deviation as days_between_orders_deviation,
    shortest_gap as shortest_days_between_orders,
    longest_gap as longest_days_between_orders,
    last_gap as last_days_between_orders,
    gap_deviation / nullif(average_gap, 0) as days_between_orders_variation,
    (:as_of - last_day) / nullif(median_gap, 0) as overdue_ratio,
    (:as_of - last_day) - median_gap as days_overdue,
    last_gap / nullif(average_gap, 0) as last_gap_ratio
from measured
