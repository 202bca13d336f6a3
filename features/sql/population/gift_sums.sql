-- one row per item of a part as of :as_of
select
    lines.item_id,
    cast(count(*) as bigint) as line_count,
    cast(count(days.day) as bigint) as peak_line_count
from sale_lines as lines
left join festival_days as days on lines.day = days.day and days.festival in ('qixi', 'christmas')
where lines.item_id is not null
group by lines.item_id
