-- one row per customer with a sale before :as_of: days and orders after the first order day, outside festivals
with touched as (
    select
        entity_id,
        sum(touched_day_count) as day_count,
        sum(order_count) as order_count
    from festival_lives
    group by entity_id
),

lives as (
    select
        entity_id,
        max(day) - min(day) as day_count,
        sum(order_count) - max(case when previous_day is null then order_count end) as order_count
    from order_days
    group by entity_id
)

select
    lives.entity_id,
    cast(lives.day_count - coalesce(touched.day_count, 0) as int) as day_count,
    cast(lives.order_count - coalesce(touched.order_count, 0) as int) as order_count
from lives
left join touched on lives.entity_id = touched.entity_id
