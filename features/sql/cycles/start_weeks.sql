-- one row per chosen thing and week in which it was bought before :as_of: the weight of the purchases there
select
    thing,
    week,
    sum(weight) as weight
from starts
group by thing, week
