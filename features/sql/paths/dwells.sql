-- one row per page and seconds stayed before :as_of, where they are known
select
    node,
    cast(rounded(seconds, 0) as bigint) as seconds,
    count(*) as visits
from visits
where seconds is not null and seconds >= 0
group by node, cast(rounded(seconds, 0) as bigint)
