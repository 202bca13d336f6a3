-- one row per category and week as of :as_of: the mean depth of the discount on its lines
select
    category,
    week,
    cast(rounded(cast(sum(depth) as double) / cast(sum(line_count) as double), 6) as decimal(9, 6)) as usual_depth
from category_depth_sums
group by category, week
