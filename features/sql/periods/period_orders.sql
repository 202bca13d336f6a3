-- one row per customer, month (or week, where :weekly), order, category and channel sold before :as_of
select
    lines.entity_id,
    case when :weekly then calendar.week else calendar.month end as period,
    lines.order_key,
    kinds.category,
    lines.channel,
    cast(sum(lines.amount) as decimal(18, 4)) as amount,
    cast(sum(lines.quantity) as decimal(18, 4)) as units
from sale_lines as lines
inner join calendar on lines.day = calendar.day
left join items as kinds on lines.item_key = kinds.item_key
group by
    lines.entity_id,
    case when :weekly then calendar.week else calendar.month end,
    lines.order_key,
    kinds.category,
    lines.channel
