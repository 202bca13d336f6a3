-- one row per customer with a sale in the 365 days before :as_of: how much deeper than usual the discounts were
select
    lines.entity_id,
    cast(count(*) as int) as line_count,
    cast(count(distinct lines.order_key) as int) as order_count,
    cast(sum(lines.depth - depths.usual_depth) as decimal(18, 6)) as depth_above,
    cast(sum(cast((lines.depth - depths.usual_depth) * (lines.depth - depths.usual_depth) as decimal(18, 12))) as decimal(28, 12))
        as depth_above_squares,
    cast(sum(lines.list_amount) as decimal(18, 4)) as list_amount,
    cast(
        sum(
            case when lines.depth >= 0.2 and lines.depth >= depths.usual_depth + 0.1 then lines.list_amount else 0 end
        ) as decimal(18, 4)
    ) as deep_amount,
    cast(sum(case when lines.cost is not null then lines.amount end) as decimal(18, 4)) as costed_amount,
    cast(sum(lines.cost) as decimal(28, 4)) as cost
from priced_lines as lines
inner join category_depths as depths on lines.category = depths.category and lines.week = depths.week
group by lines.entity_id
