-- one row per pair of things bought before :as_of, one after the other, and the days from one to the other
select
    thing,
    next_thing,
    days,
    count(*) as follow_count
from follows
group by thing, next_thing, days
