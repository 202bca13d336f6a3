-- one row per act before :as_of that enters the funnel while its window can still be seen whole
select
    entity_id,
    place,
    place as start_place,
    moment as started_at
from funnel_places
where step = 1 and day < :entries_until
