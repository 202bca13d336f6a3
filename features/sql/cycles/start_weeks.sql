-- one row per chosen thing and week in which it was bought before :as_of
select
    thing,
    week,
    count(*) as start_count,
    -- over the starts, those of their customers: over the customers, the squares of their starts
    sum(start_count) as count_squares
from starts
group by thing, week
