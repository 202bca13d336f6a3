-- one row per category and week of a part as of :as_of
select
    category,
    week,
    cast(count(*) as bigint) as line_count,
    cast(sum(depth) as decimal(28, 6)) as depth
from priced_lines
group by category, week
