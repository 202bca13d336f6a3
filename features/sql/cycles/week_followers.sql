-- one row per week and chosen thing bought within the days after a purchase of anything in it, before :as_of
select
    week,
    thing,
    count(*) as follow_count
from day_followers
group by week, thing
