-- one row per week before :as_of: the days on which a customer bought anything in it
select
    week,
    count(*) as day_count
from buyer_days
group by week
