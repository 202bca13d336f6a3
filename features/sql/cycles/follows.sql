-- one row per purchase of a thing before :as_of and other thing bought after it within the days to watch
select
    starts.entity_id,
    starts.thing,
    starts.start_count,
    followers.thing as next_thing,
    followers.days
from starts
inner join day_followers as followers on starts.entity_id = followers.entity_id and starts.day = followers.day
where followers.thing <> starts.thing
