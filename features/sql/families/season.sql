-- one row per customer as of :as_of
with marked as (
    select
        days.entity_id,
        days.day,
        days.order_count,
        days.amount,
        festivals.festival
    from order_days as days
    left join festival_days as festivals on days.day = festivals.day
)

select
    entity_id,
    coalesce(sum(order_count) filter (where festival is not null), 0) / cast(sum(order_count) as double)
        as festival_order_share_lifetime,
    coalesce(cast(sum(amount) filter (where festival is not null) as double), 0) / cast(sum(amount) as double)
        as festival_amount_share_lifetime,
    sum(order_count) filter (where festival is not null and day >= :w365) as festival_order_count_365d,
    sum(order_count) filter (where festival = '618') as order_count_618_lifetime,
    sum(order_count) filter (where festival = 'qixi') as order_count_qixi_lifetime,
    sum(order_count) filter (where festival = 'double_eleven') as order_count_double_eleven_lifetime,
    sum(order_count) filter (where festival = 'christmas') as order_count_christmas_lifetime
from marked
group by entity_id
